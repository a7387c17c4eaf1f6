"""The one exception whose text is written for the user."""


class InputError(ValueError):
    """Bad input. Its message is one sentence that says what is wrong and what to do.

    The studio shows the message as it is; ``nodule-engine`` prints it and exits with 2.
    """
