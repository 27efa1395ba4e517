"""What reaches a worker as text: make a disposable clone of HEAD, and run `study.node` in it.

A Git bundle of HEAD comes on stdin. All other code comes with the clone.
"""

import os
import shutil
import subprocess
import sys
import tempfile

UNFIT = 3  # as study.node: another worker may have what this one lacks


def main() -> None:
    """Become `study.node`, told who its worker is and its job."""
    worker, (head, folder, job) = os.getppid(), sys.argv[1:]
    clone = ""

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", clone, *arguments], check=True, stdout=sys.stderr)

    try:
        clone = tempfile.mkdtemp(prefix="infogan-study-")
        bundle = os.path.join(clone, ".git", "head.bundle")
        git("init", "--quiet")
        with open(bundle, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        git("fetch", "--quiet", bundle, "HEAD")
        git("checkout", "--quiet", "--detach", head)
        os.remove(bundle)
        os.chdir(os.path.join(clone, folder))
        os.execv(sys.executable, [sys.executable, "-m", "study.node", str(worker), clone, job])
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(clone, ignore_errors=True)
        print(f"no clone of {head}: {error}", file=sys.stderr)
        sys.exit(UNFIT)


if __name__ == "__main__":
    main()
