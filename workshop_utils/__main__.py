"""`python -m workshop_utils`: the `workshop` command, also for torchrun and where no scripts folder is on the PATH."""

from workshop_utils.command.cli import main

if __name__ == "__main__":
    main()
