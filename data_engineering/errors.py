"""The two ways a verb ends early; the command line turns each into one line and an exit status."""


class ConfigError(Exception):
    """The call or the configuration is wrong: exit status 2. Its message names the key or file, the reason, the fix."""


class RunError(Exception):
    """The run failed on data or machine: exit status 1. Its message names the file, the reason, the next step."""
