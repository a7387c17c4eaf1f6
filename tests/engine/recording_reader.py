"""A reader who answers at most so many trials, telling each answer once it was confirmed, and waits to be let go.

python -m tests.engine.recording_reader FOLDER READER SEED MOST
"""

import sys
from pathlib import Path

import numpy as np

from engine.study import AnswerBook, open_study
from tests.made_up_study import made_up_answer


def main() -> None:
    folder, reader, seed, most = sys.argv[1:]
    draw = np.random.default_rng(int(seed))
    with AnswerBook(open_study(Path(folder)), reader) as book:
        print("open", flush=True)
        for _ in range(int(most)):
            trial = book.next_trial
            if trial is None:
                break
            answer = made_up_answer(trial, draw)
            book.record(answer)
            print(answer, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
