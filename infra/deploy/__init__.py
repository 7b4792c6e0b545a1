"""Puts Berth on Google Cloud, looks what that would change, and takes it away again.

`python -m infra.deploy {plan,deploy,destroy,smoke} --env dev|prod [--project P] [--yes] [--only ID]`.
"""
