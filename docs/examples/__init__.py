"""The code that the docs show: each block of Python there is a file here, or a part of one."""
