"""The one exception for what a person can cause and cure."""


class InfoGANError(ValueError):
    """Bad input: the message is one line that says what is wrong, where, and what to do."""
