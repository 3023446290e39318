"""HTTP: `app` and its `routes_*`, over one `workplace`.

- `guard`: who may ask. `replies`: envelopes. `query_parameters`: what a URL may hold. `uploads`: files that come in.
- `statistics`, `metrics`, `telemetry`: what the server tells about itself.
"""
