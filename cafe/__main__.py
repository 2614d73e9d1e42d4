"""`python -m cafe` is `cafe`."""

from cafe.cli import main

if __name__ == "__main__":
    main()
