"""What is done with a portion of a corpus; `python -m triarch.data.corpora.portion_work FOLDER STAGE` does some.

It is told the number of a portion in each line and answers in lines of JSON. See `triarch.data.corpora.portion_crew`.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.core.interrupt import end_with_parent
from triarch.data.corpora.encoder import Encoder
from triarch.data.corpora.portions import Plan
from triarch.data.corpora.records import record
from triarch.data.corpora.shards import tokenise

PLAN, RECORDS = "plan.json", "records"
DEALT, PLACES = "dealt.npy", "places.npy"
TOKENIZER, END = "tokenizer.json", "end.json"


class Workshop:
    """Does portions of one stage.

    Args:
        folder: of the corpus in the cache, which has its plan.
        stage: the folder in it that is filled: `records`, or one that has a tokenizer.
    """

    def __init__(self, folder: Path, stage: str) -> None:
        self.plan = Plan.model_validate_json((folder / PLAN).read_bytes())
        self.place = folder / stage
        self.records = stage == RECORDS
        if not self.records:
            self.encoder = Encoder(Tokenizer.from_file(str(self.place / TOKENIZER)))
            self.end = int(json.loads((self.place / END).read_text()))
            self.dealt = np.load(self.place / DEALT, mmap_mode="r", allow_pickle=False)
            self.places = np.load(folder / PLACES, allow_pickle=False)

    def waiting(self) -> list[int]:
        """The portions that are not finished."""
        done = ".json" if self.records else ".npy"
        return [number for number in range(len(self.plan.portions)) if not self.path(number).with_suffix(done).exists()]

    def path(self, number: int) -> Path:
        """Of what is made of a portion, without an ending."""
        return self.place / f"{number:05}"

    def do(self, number: int) -> None:
        """Do portion `number`.

        Raises:
            InputError: something in it is at fault.
        """
        pieces = self.plan.portions[number]
        if self.records:
            record(pieces, self.plan.stretch, self.path(number))
            return
        dealt = self.dealt[self.places[number] : self.places[number + 1]]
        tokenise(pieces, self.plan.stretch, dealt, self.encoder, self.end, self.path(number))


def main() -> None:
    """Do what stdin tells."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    workshop = Workshop(Path(sys.argv[1]), sys.argv[2])
    for line in sys.stdin:
        answer: dict[str, object] = {"done": int(line)}
        try:
            workshop.do(int(line))
        except InputError as error:
            answer = {"fault": str(error)}
        except OSError as error:
            answer = {"fault": f"{sys.argv[1]}: {error.strerror or error}\nname another folder in TRIARCH_CACHE"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
