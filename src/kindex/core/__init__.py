"""The words of the house: catalogue, split, space, release, params, layout. numpy and pyarrow; no torch, no faiss."""
