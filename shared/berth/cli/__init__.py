"""The command `berth`: one module a command, all of them clients of a deployment.

`main` puts them together, `failures` says what went wrong and with which exit code, `asking` asks the
status function. Nothing of the functions themselves is imported: `pip install .` on a laptop is enough.
"""
