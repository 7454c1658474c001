"""Programs that answer a case a line, for the fuzzers of the renderers: an oracle and ours."""
import json, os, shutil, subprocess, threading
from concurrent.futures import ThreadPoolExecutor

# Most memory of a renderer, in bytes: a list of all integers would take the machine's before Go gives up.
MEMORY = 5 << 29


# Nothing is fetched: there is no git, and no proxy answers.
ENVIRONMENT = dict(os.environ, TZ="UTC", PATH="/nonexistent", HTTP_PROXY="http://127.0.0.1:9", HTTPS_PROXY="http://127.0.0.1:9")


class Program:
    """A renderer that answers lines; started again when it dies."""

    def __init__(self, command):
        self.command, self.process = [shutil.which("prlimit") or "prlimit", "--as=%d" % MEMORY, *command.split()], None

    def ask(self, cases):
        """The answers to cases. They are written by a thread: many at once fill the pipe."""
        lines, found = [json.dumps(case).encode() + b"\n" for case in cases], []
        while len(found) < len(lines):
            if self.process is None:
                self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
            writer = threading.Thread(target=self.write, args=(lines[len(found):],))
            writer.start()
            for line in self.process.stdout:
                found.append(json.loads(line))
                if len(found) == len(lines):
                    break
            else:
                self.process.kill()
                self.process.wait()
                self.process = None
                found.append({"error": "CRASH"})
            writer.join()
        return found

    def write(self, lines):
        try:
            self.process.stdin.write(b"".join(lines))
            self.process.stdin.flush()
        except (BrokenPipeError, AttributeError, ValueError):
            pass


def answers(programs, cases):
    """Tuples of answers, one of each program, to each case."""
    with ThreadPoolExecutor() as pool:
        return list(zip(*pool.map(lambda program: program.ask(cases), programs)))
