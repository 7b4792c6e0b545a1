"""Benchmarks of the whole of Berth on a local stack: `make bench` writes docs/bench.{json,md}.

Times are taken from outside (object times, the servers' own states, request and audit logs); the
functions' log lines add where a pass began and what its probe cost.
"""
