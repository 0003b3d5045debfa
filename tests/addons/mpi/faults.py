"""Faults of one rank end the whole run within seconds, say which rank and why in one line, and leave the last
checkpoint; from there a run of another number of ranks goes on. usage: faults.py PROGRAM MPIRUN..."""
import pathlib
import subprocess
import sys
import tempfile

PROGRAM, MPIRUN = sys.argv[1], sys.argv[2:]
AT, STEPS = 7, 20


def run(ranks, checkpoint, *fault):
    """Ends by itself within seconds, or TimeoutExpired says that it hangs."""
    return subprocess.run([*MPIRUN, "-n", str(ranks), PROGRAM, str(checkpoint), str(STEPS), *fault],
                          capture_output=True, text=True, timeout=30)


def goes_on(ranks, checkpoint, step):
    after = run(ranks, checkpoint)
    assert after.returncode == 0, after.stderr
    assert after.stdout.split("\n").count(f"from step {step}") == ranks, after.stdout
    assert after.stdout.split("\n").count(f"ended at step {STEPS}") == ranks, after.stdout


with tempfile.TemporaryDirectory() as directory:
    home = pathlib.Path(directory)
    goes_on(3, home / "whole", 0)
    for how, why in (("throw", "the disk is full"), ("kill", "exited on signal 9"), ("exit", "exiting improperly")):
        checkpoint = home / how
        ended = run(3, checkpoint, how, "1", str(AT))
        assert ended.returncode != 0, ended.stdout
        assert "ended at" not in ended.stdout, ended.stdout
        # Open MPI breaks its own lines.
        said = [line for line in ended.stderr.replace("on\nnode", "on node").splitlines() if "rank 1" in line and why in line]
        assert len(said) == 1, ended.stderr
        print(said[0])
        kept = checkpoint.read_bytes()
        goes_on(3, checkpoint, AT)
        assert checkpoint.read_bytes() == (home / "whole").read_bytes(), "taken up again it came to something else"
        for ranks in (1, 2, 4):
            checkpoint.write_bytes(kept)
            goes_on(ranks, checkpoint, AT)
