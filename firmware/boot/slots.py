"""Which application a boot runs: slot `a`, slot `b`, or what the cable put beside them.

This file and `main.py` are all that an update never replaces. What they know stands in one small file,
replaced whole by renaming, so that a power cut leaves the old one or the new one:

`slot` runs ("": the cable's files), it is `release`; `trial`: the slot to be proved, `boots` of it so far;
`worked`: what must work in it; `tried`: the highest release ever run; `failed`: the last [release, word];
`receiving`: this boot is for the download of a release.
"""

import json
import os

# A trial that ends in so many boots has crashed; power cuts alone seldom make three.
BOOTS = 3


class Slots:
    """The slots below the flash's root; `running` is this boot's, `on_trial` while that is unproved."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.running = ""
        self.on_trial = False
        self.facts: dict = {"slot": "", "release": 0, "trial": None, "boots": 0, "tried": 0, "failed": None}
        self.facts["receiving"] = None

    def begin(self) -> list:
        """Choose for this boot and count it; return the folders to import from, before any other."""
        try:
            with open(self.root + "/slots.json") as file:
                self.facts.update(json.load(file))
            self._count()
        except OSError:  # there has never been an update; or what can't be counted isn't tried
            pass
        except (ValueError, TypeError):  # unreadable: any application is better than none
            return [self.root + "/a", self.root + "/b"]
        self.running = self.facts["trial"] if self.on_trial else self.facts["slot"]
        return [self.root + "/" + self.running] if self.running else []

    def store(self, **changes: object) -> None:
        """Change facts, on flash first."""
        facts = dict(self.facts)
        facts.update(changes)
        path = self.root + "/slots.json"
        with open(path + ".new", "w") as file:
            json.dump(facts, file)
        os.rename(path + ".new", path)
        self.facts = facts

    def roll_back(self, why: str) -> None:
        """Give the trial up; the next boot runs what ran before."""
        self.store(trial=None, failed=[self.facts["tried"], why])

    def _count(self) -> None:
        if self.facts["trial"] is None:
            return
        if self.facts["boots"] >= BOOTS:
            self.roll_back("crash")
        else:
            self.store(boots=self.facts["boots"] + 1)
            self.on_trial = True
