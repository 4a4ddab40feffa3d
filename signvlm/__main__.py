"""`python -m signvlm`: the command line."""

from signvlm.cli import main

if __name__ == "__main__":
    main()
