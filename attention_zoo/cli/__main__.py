"""`python -m attention_zoo.cli`: the same as `attention-zoo`."""

from attention_zoo.cli import main

if __name__ == "__main__":
    main()
