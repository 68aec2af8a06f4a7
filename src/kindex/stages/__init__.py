"""The six stages: params → load → one pure call → write. `python -m kindex.stages STAGE KEY` runs one.

A stage is a module with `run(job: Job) -> dict`: it reads below `job.layout`, writes below `job.out` only, and returns
what the run cost (numbers that depend on this machine, kept in `var/costs`, never an input of anything).
"""
