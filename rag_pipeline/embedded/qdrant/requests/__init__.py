"""REST JSON in, engine objects out, and back. Nothing here touches a collection.

- `vectors`, `updates`, `bm25`: writes; texts as sparse vectors.
- `queries`, `query_kinds`, `examples`, `formulas`, `search_params`: queries. `grouping`, `payload_paths` and `matrix`
make groups and matrices of several.
- `filters`, `geo`, `slices`, `selectors`: what is filtered and returned.
- `indexes`, `text_indexes`: payload indexes.
- `strict`: what a request may ask for in strict mode.
- `answers`: engine objects in, REST JSON out.
"""
