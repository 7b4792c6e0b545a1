"""`python -m infra.deploy {plan,deploy,destroy,smoke} --env dev|prod [--project P] [--yes] [--only ID]`.

Exit code 0: done; 1: something failed or is missing; 130: interrupted.
"""

import argparse
import sys

from infra import smoke
from infra.deploy import commands, preflight
from infra.deploy.problems import NotReady, Refused
from infra.deploy.progress import StepFailed
from infra.deploy.site import ENVIRONMENTS, Google


def main(argv: list[str] | None = None) -> int:
    """Do what is asked, and say what happened."""
    options = _options(argv)
    project = options.project or preflight.configured_project()
    google = Google(project)
    try:
        return _run(options, google, project)
    except (NotReady, Refused, StepFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run the same command again, it goes on where it was", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace, google: Google, project: str) -> int:
    if options.command == "deploy":
        commands.deploy(google, project, options.env)
    elif options.command == "plan":
        commands.plan(google, project, options.env)
    elif options.command == "destroy":
        commands.destroy(
            google, project, options.env, lambda text: project if options.yes else input(text)
        )
    else:
        site = preflight.check(google, project, options.env)
        return smoke.run(site, only=options.only)
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("command", choices=("plan", "deploy", "destroy", "smoke"))
    parser.add_argument("--env", choices=ENVIRONMENTS, required=True)
    parser.add_argument("--project", default="", help="default: the project gcloud works on")
    parser.add_argument("--yes", action="store_true", help="destroy without asking")
    parser.add_argument("--only", default="", help="smoke: the id of one check")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
