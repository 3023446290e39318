"""The query API: FastAPI only, and thin. A route parses, calls one service, answers.

`app` puts it together, `routes_*` hold the paths, `schemas` what goes in and out, `problems` every error's answer,
`deadline` ends what takes too long, `main` is what uvicorn runs. What search or listing means is in `services`.
"""
