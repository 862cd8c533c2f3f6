"""The documentation, and what generates the parts of it that can be derived."""
