"""A forked kernel is as good as a spawned one: the run's own in everything, and the same for its notebook."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.kernel.fork_servers import ForkServers
from nb_dagster.runner.background import settle
from tests.kernel.forking import PRELOAD, Runs, ready, shown, wait_until_gone

pytestmark = pytest.mark.usefixtures("servers")

DRAWN = """\
import random, secrets, uuid, numpy
drawn = [random.random(), float(numpy.random.rand()), float(numpy.random.default_rng().random())]
nb.output('drawn', [*map(str, drawn), str(uuid.uuid4()), str(uuid.uuid1()), secrets.token_hex()])
"""
LOCALE = """\
import locale, sys
nb.output('found', [
    locale.setlocale(locale.LC_CTYPE), locale.getlocale(), locale.getpreferredencoding(False).lower(),
    open('/dev/null').encoding.lower(), sys.getfilesystemencoding(), sys.flags.utf8_mode,
])
"""
WORLD = """\
import builtins, gc, locale, logging, os, resource, signal, sys, tempfile, threading, time, warnings
shell, main = get_ipython(), sys.modules['__main__']
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
ours = ('NB_DAGSTER_', 'JPY_PARENT_PID', 'PYDEVD_USE_FRAME_EVAL')
nb.output('world', {
    'path': sys.path, 'flags': str(sys.flags), 'warnings': [str(each) for each in warnings.filters],
    'encodings': [sys.stdout.encoding, sys.stderr.encoding, sys.stdin.encoding, sys.getfilesystemencoding()],
    'streams': [sys.stdout.isatty(), sys.stdout.errors, sys.__stdout__.errors, sys.__stderr__.errors],
    'locale': [locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(False)],
    'signals': [str(signal.getsignal(each)) for each in sorted(signal.Signals)],
    'masks': [status[name].strip() for name in ('SigBlk', 'SigIgn', 'Umask', 'Cpus_allowed')],
    'session': [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), os.getpriority(os.PRIO_PROCESS, 0)],
    'limits': [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith('RLIMIT_')],
    'environment': {name: os.environ[name] for name in sorted(os.environ) if not name.startswith(ours)},
    'folders': [os.getcwd(), tempfile.gettempdir(), shell.starting_dir, shell.profile_dir.location],
    'times': [time.tzname, sys.getswitchinterval()], 'limit': sys.getrecursionlimit(),
    'collector': [gc.isenabled(), gc.get_threshold()], 'logging': [logging.root.level, str(logging.root.handlers)],
    'interpreter': [sys.executable, sys.prefix, os.path.basename(sys.argv[0])],
    'main': [__name__, type(main).__name__, str(main.__spec__), main.__doc__, hasattr(main, '__file__')],
    'names': sorted(name for name in vars(main) if name != 'ours'), 'builtins': dir(builtins),
    'shell': [shell.colors, shell.autocall, shell.ast_node_interactivity, shell.execution_count],
    'history': [shell.history_manager.hist_file, shell.history_manager.enabled],
    'magics': sorted(shell.magics_manager.magics['line']), 'extensions': sorted(shell.extension_manager.loaded),
    'hooks': [sys.displayhook.__class__.__name__, sys.excepthook.__qualname__, threading.excepthook.__qualname__],
    'tracing': [sys.gettrace(), sys.getprofile()],
})
"""


class TestWhatItHasOfItsRun:
    def test_two_kernels_draw_different_random_numbers(self, runs: Runs) -> None:
        first, second = runs.forked(DRAWN).outputs["drawn"], runs.forked(DRAWN).outputs["drawn"]
        assert [one for one, other in zip(first, second, strict=True) if one == other] == []

    def test_it_finds_itself_in_the_same_world_as_a_spawned_one(self, runs: Runs, servers: ForkServers) -> None:
        server = ready(servers)
        forked = runs.forked(WORLD, preload=[], server=server).outputs["world"]
        spawned = runs.spawned(WORLD).outputs["world"]
        spawned["environment"].pop("NB_DAGSTER_FORK_SERVER", None)
        assert {name: forked[name] for name in forked if forked[name] != spawned[name]} == {}, spawned

    def test_environment_folder_and_mask_are_the_runs_own(
        self, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SET_AFTER_THE_SERVER", "seen")
        (tmp_path / "elsewhere").mkdir()
        before = os.umask(0o077)
        try:
            found = runs.forked(
                "import os\nmask = os.umask(0)\nnames = ['SET_AFTER_THE_SERVER', 'ONLY_HERE']\n"
                "nb.output('found', [*map(os.environ.get, names), os.getcwd(), mask])",
                environment={"ONLY_HERE": "yes"},
                cwd=tmp_path / "elsewhere",
            ).outputs["found"]
        finally:
            os.umask(before)
        assert found == ["seen", "yes", str(tmp_path / "elsewhere"), 0o077]

    def test_its_children_have_its_environment_and_nothing_of_the_servers(self, runs: Runs) -> None:
        found = runs.forked(
            "import os, subprocess\nchild = subprocess.run(['env', '-0'], capture_output=True, text=True).stdout\n"
            "child = dict(line.split('=', 1) for line in child.split('\\0') if line)\n"
            "nb.output('different', sorted(set(child.items()) ^ set(os.environ.items())))",
            environment={"ONLY_HERE": "yes"},
        )
        assert found.outputs["different"] == []

    def test_temp_folder_and_time_zone_are_the_runs_own(self, runs: Runs, tmp_path: Path) -> None:
        source = "import tempfile, time\nnb.output('found', [tempfile.gettempdir(), time.tzname[0], time.timezone])"
        (tmp_path / "temp").mkdir()
        environment = {"TMPDIR": str(tmp_path / "temp"), "TZ": "XYZ-9"}
        assert runs.forked(source, environment=environment).outputs["found"] == [environment["TMPDIR"], "XYZ", -32400]
        assert runs.forked(source, environment={"TZ": "ABC2"}).outputs["found"][1:] == ["ABC", 7200]

    @pytest.mark.parametrize("name", ["C", "C.UTF-8", "no_SUCH"])
    def test_the_locale_is_the_runs_own(self, runs: Runs, servers: ForkServers, name: str) -> None:
        set_here = {"LC_ALL": name}
        expected = runs.spawned(LOCALE, environment=set_here).outputs["found"]
        assert runs.run(LOCALE, environment=set_here).outputs["found"] == expected
        server = ready(servers, *PRELOAD, environment={**os.environ, **set_here})
        assert runs.forked(LOCALE, environment=set_here, server=server).outputs["found"] == expected

    @pytest.mark.parametrize(
        ("name", "source"),
        [
            ("PYTHONPATH", "import sys\nnb.output('found', sys.path)"),
            ("PYTHONHASHSEED", "nb.output('found', hash('text'))"),
            ("PYTHONWARNINGS", "import warnings\nnb.output('found', [str(each) for each in warnings.filters])"),
        ],
    )
    def test_what_python_reads_when_it_starts_is_the_runs_own(
        self, runs: Runs, servers: ForkServers, tmp_path: Path, name: str, source: str
    ) -> None:
        value = {"PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": "7", "PYTHONWARNINGS": "error::FutureWarning"}[name]
        options: dict[str, Any] = {"environment": {name: value}, "preload": []}
        expected = runs.spawned(source, **options).outputs["found"]
        assert runs.run(source, **options).outputs["found"] == expected
        server = ready(servers, environment={**os.environ, name: value})
        assert runs.forked(source, server=server, **options).outputs["found"] == expected

    @pytest.mark.parametrize("name", ["RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_CORE"])
    def test_limits_set_after_the_server_started_are_the_runs_own(self, runs: Runs, name: str) -> None:
        kind = getattr(resource, name)
        soft, hard = resource.getrlimit(kind)
        lower = {"RLIMIT_NOFILE": 1000, "RLIMIT_AS": 1 << 42, "RLIMIT_CORE": 0 if soft else 4096}[name]
        if hard not in (-1, resource.RLIM_INFINITY) and lower > hard:
            pytest.skip(f"{name} may not be {lower} here")
        resource.setrlimit(kind, (lower, hard))
        try:
            found = runs.forked(f"import resource\nnb.output('found', resource.getrlimit(resource.{name}))")
        finally:
            resource.setrlimit(kind, (soft, hard))
        assert found.outputs["found"] == [lower, hard]

    def test_cpus_and_priority_are_those_of_the_process_that_asks(self, tmp_path: Path) -> None:
        script = (
            "import os, sys\nfrom pathlib import Path\nfrom tests.kernel.forking import *\n"
            "with fork_servers_of_its_own() as servers:\n"
            "    ready(servers, *PRELOAD)\n"
            "    own = [min(os.sched_getaffinity(0))]\n"
            "    os.sched_setaffinity(0, own)\n"
            "    nice = os.nice(3)\n"
            "    source = 'import os\\nnb.output(\"found\", [[*os.sched_getaffinity(0)], os.nice(0)])'\n"
            "    assert Runs(Path(sys.argv[1])).forked(source).outputs['found'] == [own, nice]\n"
        )
        subprocess.run([sys.executable, "-c", script, tmp_path], check=True, timeout=60)

    def test_blas_has_the_threads_that_the_run_says(self, runs: Runs) -> None:
        source = (
            "import numpy, ctypes\n"
            "path = next(line.split()[-1] for line in open('/proc/self/maps') if 'openblas' in line)\n"
            "library = ctypes.CDLL(path)\n"
            "names = ['scipy_openblas_get_num_threads64_', 'openblas_get_num_threads64_', 'openblas_get_num_threads']\n"
            "nb.output('threads', next(getattr(library, n)() for n in names if hasattr(library, n)))"
        )
        assert runs.forked(source, environment={"OMP_NUM_THREADS": "2"}).outputs["threads"] == 2
        assert runs.forked(source, environment={"OMP_NUM_THREADS": "1"}).outputs["threads"] == 1

    def test_a_module_beside_the_notebook_can_be_imported(self, runs: Runs, tmp_path: Path) -> None:
        (tmp_path / "beside.py").write_text("value = 42\n")
        assert runs.forked("import beside\nnb.output('value', beside.value)").outputs["value"] == 42


class TestIPython:
    @pytest.fixture
    def profile(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The user's IPython profile, and no other."""
        profile = tmp_path / "ipython" / "profile_default"
        (profile / "startup").mkdir(parents=True)
        monkeypatch.setenv("IPYTHONDIR", str(profile.parent))
        return profile

    @pytest.fixture
    def configured(self, profile: Path) -> Path:
        """A profile with a configuration, and a startup file."""
        (profile / "ipython_kernel_config.py").write_text(
            "c.InteractiveShellApp.exec_lines = ['from_configuration = 1']\n"
            "c.InteractiveShell.ast_node_interactivity = 'all'\n"
            "c.InlineBackend.figure_formats = {'svg'}\n"
        )
        (profile / "startup" / "00.py").write_text("from_startup = 2\n")
        return profile

    SOURCE = "nb.output('found', [from_configuration, from_startup])\n1\n2"

    def _assert_configured(self, result: Any) -> None:
        assert result.outputs["found"] == [1, 2]
        assert [output["data"]["text/plain"] for output in shown(result)[0][-2:]] == [["1"], ["2"]]

    def test_a_users_configuration_holds(self, runs: Runs, servers: ForkServers, configured: Path) -> None:
        self._assert_configured(runs.spawned(self.SOURCE))
        self._assert_configured(runs.forked(self.SOURCE))  # the server started without it
        server = ready(servers, "json")
        self._assert_configured(runs.forked(self.SOURCE, preload=["json"], server=server))

    def test_a_configuration_that_changed_holds_for_the_next_run(
        self, runs: Runs, servers: ForkServers, configured: Path
    ) -> None:
        ready(servers, "csv")
        (configured / "ipython_kernel_config.py").write_text("c.InteractiveShellApp.exec_lines = ['found = 2']\n")
        assert runs.run("nb.output('found', found)", preload=["csv"]).outputs["found"] == 2

    def test_a_run_leaves_nothing_in_the_users_history(self, runs: Runs, servers: ForkServers, profile: Path) -> None:
        server = ready(servers, "zlib")
        for preload, source in (((*PRELOAD,), None), (("zlib",), server)):
            runs.forked("secret = 1", "%history -g", preload=preload, server=source)
        settle()
        assert [path for path in profile.rglob("*") if path.is_file() and "history" in path.name] == []

    def test_figures_look_the_same(self, runs: Runs, servers: ForkServers, profile: Path) -> None:
        source = (
            "import matplotlib, matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.title('text')\nplt.show()\n"
            "nb.output('settings', {name: str(value) for name, value in matplotlib.rcParams.items()})"
        )
        server = ready(servers, "matplotlib.pyplot")
        forked = runs.forked(source, preload=["matplotlib.pyplot"], server=server)
        spawned = runs.spawned(source)
        assert forked.outputs["settings"] == spawned.outputs["settings"]
        (there,) = (output["data"]["image/png"] for output in shown(forked)[0] if "image/png" in output["data"])
        (here,) = (output["data"]["image/png"] for output in shown(spawned)[0] if "image/png" in output["data"])
        assert there == here

    def test_a_users_figure_format_holds(self, runs: Runs, servers: ForkServers, configured: Path) -> None:
        source = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()"
        server = ready(servers, "matplotlib.pyplot")
        forked = runs.forked(source, preload=["matplotlib.pyplot"], server=server)
        assert any("image/svg+xml" in output["data"] for output in shown(forked)[0])

    def test_another_backend_of_the_run_holds(self, runs: Runs, servers: ForkServers) -> None:
        source = "import matplotlib.pyplot as plt\nplt.figure()\nnb.output('backend', plt.get_backend().lower())"
        server = ready(servers, "matplotlib.pyplot")
        options: dict[str, Any] = {"preload": ["matplotlib.pyplot"], "environment": {"MPLBACKEND": "agg"}}
        assert runs.forked(source, server=server, **options).outputs["backend"] == "agg"


class TestProcesses:
    def test_a_cell_may_fork(self, runs: Runs) -> None:
        forks = (
            "import os, sys\n"
            "if os.fork() == 0:\n    print('of the child')\n    sys.stdout.flush()\n    os._exit(0)\n"
            "nb.output('code', os.wait()[1])\nprint('of the kernel')"
        )
        done = runs.forked(forks, "1")
        assert done.outputs["code"] == 0
        text = "".join(part for output in shown(done)[0] if "text" in output for part in output["text"])
        assert sorted(text.splitlines()) == ["of the child", "of the kernel"]

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_a_cell_may_use_processes(self, runs: Runs, method: str) -> None:
        pool = (
            "import math, multiprocessing\n"
            f"with multiprocessing.get_context({method!r}).Pool(2) as pool:\n"
            "    nb.output('roots', pool.map(math.isqrt, [1, 4, 9]))"
        )
        assert runs.forked(pool, cell_timeout=30).outputs["roots"] == [1, 2, 3]

    @pytest.mark.parametrize(
        "end", ["1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"], ids=["", "killed"]
    )
    def test_a_fork_that_was_cut_loose_is_gone_with_the_run(self, runs: Runs, end: str) -> None:
        daemon = (
            "import os, time\nread, write = os.pipe()\n"
            "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            "        os.write(write, str(os.getpid()).encode())\n        time.sleep(600)\n    os._exit(0)\n"
            "os.wait()\nnb.output('pid', int(os.read(read, 20)))"
        )
        result = runs.forked(daemon, end, status="killed" if "kill" in end else "succeeded")
        settle()
        wait_until_gone(result.outputs["pid"])

    def test_exit_handlers_and_threads_end_as_in_any_python(self, runs: Runs, tmp_path: Path) -> None:
        said = tmp_path / "said"
        runs.forked(
            f"import atexit, pathlib, threading, time\nsaid = pathlib.Path({str(said)!r})\n"
            "atexit.register(lambda: said.write_text(said.read_text() + 'handler'))\n"
            "threading.Thread(target=lambda: (time.sleep(0.5), said.write_text('thread '))).start()"
        )
        settle()
        assert said.read_text() == "thread handler"


class TestOutput:
    """Streams are flushed only where there is something to flush: nothing is lost by it, or moved."""

    def test_three_hundred_small_cells_keep_what_they_print_and_its_order(self, runs: Runs) -> None:
        define = (
            "import sys, threading\nfrom IPython.display import display\ndef go(n):\n"
            "    print('out', n)\n    print('err', n, file=sys.stderr)\n"
            "    display({'text/plain': f'shown {n}'}, raw=True)\n"
            "    thread = threading.Thread(target=print, args=('thread', n))\n    thread.start()\n    thread.join()\n"
            "    print('end', n, end='')\n    return n"
        )
        kept = shown(runs.forked(define, *(f"go({n})" for n in range(300))))[1:]
        for n, outputs in enumerate(kept):
            (at,) = (index for index, output in enumerate(outputs) if output["output_type"] == "display_data")
            assert [as_text(outputs[at]), as_text(outputs[-1])] == [f"shown {n}", str(n)]
            assert streamed(outputs[:at]) == {"stdout": f"out {n}\n", "stderr": f"err {n}\n"}
            assert streamed(outputs[at + 1 : -1]) == {"stdout": f"thread {n}\nend {n}"}

    def test_text_that_is_just_being_sent_stays_in_its_cell_and_in_its_place(self, runs: Runs) -> None:
        slowly = (
            "import sys, threading, time\nfrom IPython.display import display\n"
            "taken, take = threading.Event(), sys.stdout._rotate_buffers\n"
            "def take_slowly():\n    text = take()\n    taken.set()\n    time.sleep(0.3)\n    return text\n"
            "sys.stdout._rotate_buffers = take_slowly"
        )
        before_a_display = "print('text')\ntaken.wait()\ndisplay('shown')"
        before_the_end = "taken.clear()\nprint('text')\ntaken.wait();"
        kept = shown(runs.forked(slowly, before_a_display, before_the_end, "1"))[1:]
        assert [[*map(as_text, outputs)] for outputs in kept] == [["text\n", "'shown'"], ["text\n"], ["1"]]

    def test_what_children_and_the_system_print_is_there(self, runs: Runs) -> None:
        cells = ("!echo by a shell", "import os\nos.system('echo by a child')", "os.write(1, b'by the system\\n')")
        kept = shown(runs.forked(*cells, "import time\ntime.sleep(0.5)"))
        text = "".join(as_text(output) for outputs in kept for output in outputs)
        assert all(f"by {who}" in text for who in ("a shell", "a child", "the system"))


def streamed(outputs: list[dict[str, Any]]) -> dict[str, str]:
    """All text of each stream; which of the two comes first is decided by ipykernel's clock."""
    found: dict[str, str] = {}
    for output in outputs:
        found[output["name"]] = found.get(output["name"], "") + as_text(output)
    return found


def as_text(output: dict[str, Any]) -> str:
    text = output.get("text") or output["data"]["text/plain"]
    return "".join(text) if isinstance(text, list) else str(json.loads(text))
