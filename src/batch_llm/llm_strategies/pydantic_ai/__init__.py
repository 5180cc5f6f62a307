"""Whatever pydantic-ai can call: through an agent, or directly."""
