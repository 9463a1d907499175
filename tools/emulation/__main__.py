"""The command line: prepare, run, check."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.emulation.cache import cache_folder
from tools.emulation.check import check
from tools.emulation.cpus import CPUS, EmulatedCpu, find_cpus, host_machine
from tools.emulation.errors import EmulationError
from tools.emulation.machine import emulated
from tools.emulation.models import BUILT_IN, XSMALL, Model, find_models
from tools.emulation.pairs import full, reduced
from tools.emulation.qemu import find_qemu
from tools.emulation.report import as_json, as_table, holds
from tools.emulation.staging import staged
from tools.emulation.sysroot import find_sysroot

_NAMES = "\n".join(f"  {cpu.name:<12} {cpu.about}" for cpu in CPUS)
_EPILOG = f"""\
CPUs:
{_NAMES}

exit codes: 0 it holds, 1 it does not, 2 it could not be tried
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except EmulationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.emulation",
        description="Run the project on other CPUs, emulated by QEMU.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_prepare(commands.add_parser("prepare", help="download what the other commands need"))
    _add_run(commands.add_parser("run", help="run Python on an emulated CPU"))
    _add_check(commands.add_parser("check", help="compare the scores of all CPUs"))
    return parser


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--refresh", action="store_true", help="even if it is there already")
    parser.set_defaults(run=_prepare)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cpu", help="such as cortex-a72")
    parser.add_argument(
        "command",
        nargs=argparse.REMAINDER,
        metavar="-- python ...",
        help="in a copy of the repository",
    )
    parser.set_defaults(run=_run)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cpus", help="comma-separated; default: the reduced set's, --full: all")
    parser.add_argument("--full", action="store_true", help="520 pairs instead of 40; hours")
    parser.add_argument("--engine", choices=("native", "onnxruntime"), help="default: both")
    parser.add_argument(
        "--models",
        help=f"comma-separated: {BUILT_IN}, {XSMALL} (a trained one spread over that shape), "
        f"folders; default: {BUILT_IN}, --full: {BUILT_IN},{XSMALL}",
    )
    parser.add_argument("--jobs", type=int, help="CPUs at a time; default: as many as cores")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_check)


def _prepare(options: argparse.Namespace) -> int:
    here = host_machine()
    for machine in sorted({cpu.machine for cpu in CPUS}):
        print(f"{machine}: {find_qemu(machine, here, refresh=options.refresh)}")
        if machine != here:
            print(f"{machine}: {find_sysroot(machine, refresh=options.refresh).root}")
    print(f"cache: {cache_folder()}")
    return 0


def _run(options: argparse.Namespace) -> int:
    (cpu,) = find_cpus([options.cpu])
    words = options.command[1:] if options.command[:1] == ["--"] else options.command
    if words[:1] != ["python"]:
        raise EmulationError(f"the command is {' '.join(words)!r}; it must start with python")
    machine = emulated(cpu)
    with staged(cpu.machine) as folder:
        code = machine.run(words[1:], folder).returncode
    return code if code >= 0 else 128 - code


def _check(options: argparse.Namespace) -> int:
    rows = check(
        _chosen(options),
        full() if options.full else reduced(),
        _models(options),
        engine=options.engine,
        patient=options.full,
        jobs=options.jobs,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    print(as_json(rows) if options.json else as_table(rows))
    return 0 if holds(rows) else 1


def _models(options: argparse.Namespace) -> list[Model]:
    usual = f"{BUILT_IN},{XSMALL}" if options.full else BUILT_IN
    return find_models(name.strip() for name in (options.models or usual).split(","))


def _chosen(options: argparse.Namespace) -> list[EmulatedCpu]:
    if options.cpus is not None:
        return find_cpus(name.strip() for name in options.cpus.split(","))
    return [cpu for cpu in CPUS if options.full or cpu.reduced]


if __name__ == "__main__":
    sys.exit(main())
