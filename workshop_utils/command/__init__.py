"""The command line: `workshop` and what its commands do, such as the doctor of lesson 00."""
