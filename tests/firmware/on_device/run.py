"""Run on MicroPython: every test_ function of the named scripts; leaves with 1 where one fails."""

import sys

here = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
sys.path[:0] = [here, here + "/../../../firmware", here + "/../../../firmware/boot"]


def main(names: list) -> int:
    failed = done = 0
    for name in names:
        module = __import__(name)
        for test in sorted(n for n in dir(module) if n.startswith("test_")):
            try:
                getattr(module, test)()
                done += 1
            except Exception as error:
                failed += 1
                print("FAILED", name, test)
                sys.print_exception(error)
    print("passed", done, "failed", failed)
    return 1 if failed or not done else 0


sys.exit(main(sys.argv[1:]))
