"""What a command says when it cannot do what was asked."""


class Refusal(Exception):
    """A command cannot do what was asked; the message is the sentence to print."""
