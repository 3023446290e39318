"""What people read first: README, `.env.example` and `docs/`, held to what the code does."""
