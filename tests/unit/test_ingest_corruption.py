"""Files damaged before they land: nothing is accepted that the original did not say.

What no reader can detect (a letter flipped in plain text, a cut at the end of a line) needs the
sidecar that a source may deliver with its file.
"""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from backports import zstd
from ingest_home import delivery, group, land, lines, project

from orchestration.ingest.contracts import load_contracts
from orchestration.ingest.guards import Refused, guard_delivery
from orchestration.ingest.unpacking import open_chunks
from orchestration.settings import Settings

RECORDS = [group(n, name=f"Group {n * 7919}") for n in range(60)]
TEXT = lines(RECORDS).encode()
ORIGINALS = {
    ".ndjson.gz": gzip.compress(TEXT, mtime=0),
    ".ndjson.zst": zstd.compress(TEXT, options={zstd.CompressionParameter.checksum_flag: 1}),
    ".json.gz": gzip.compress(json.dumps(RECORDS).encode(), mtime=0),
}


def accepted_bytes(settings: Settings) -> bytes | None:
    """What a reader would get of the only delivery; None where it is refused."""
    contract = load_contracts(settings)["zendesk", "groups"]
    try:
        guard_delivery(delivery(settings), contract)
        return b"".join(open_chunks(delivery(settings)))
    except Refused:
        return None


def damaged(whole: bytes, seed: int, kind: str) -> bytes:
    """The bytes cut off somewhere, or with one bit flipped."""
    chance = random.Random(seed)
    if kind == "cut":
        return whole[: chance.randrange(len(whole))]
    place = chance.randrange(len(whole))
    return whole[:place] + bytes([whole[place] ^ (1 << chance.randrange(8))]) + whole[place + 1 :]


@pytest.mark.parametrize("kind", ["cut", "flip"])
@pytest.mark.parametrize("suffix", list(ORIGINALS))
def test_packed_files_are_never_accepted_with_other_bytes(
    tmp_path: Path, suffix: str, kind: str
) -> None:
    format_ = "json" if ".json" in suffix.replace(".ndjson", "") else "ndjson"
    whole = ORIGINALS[suffix]
    for seed in range(20):
        settings = project(tmp_path, "zendesk/groups", format=format_)
        settings = Settings(home=tmp_path / str(seed), repo_root=settings.repo_root)
        land(settings, "zendesk/groups", damaged(whole, seed, kind), suffix=suffix, is_packed=True)
        found = accepted_bytes(settings)
        original = json.dumps(RECORDS).encode() if format_ == "json" else TEXT
        # A flipped bit in gzip's header (its time, its system) changes nothing that is read.
        assert found is None or (kind == "flip" and found == original)


@pytest.mark.parametrize("seed", range(20))
def test_a_json_document_cut_anywhere_is_refused_by_the_loader(tmp_path: Path, seed: int) -> None:
    from orchestration.ingest.loader import load_deliveries

    settings = project(tmp_path, "zendesk/groups", format="json")
    cut = damaged(json.dumps(RECORDS).encode(), seed, "cut")
    land(settings, "zendesk/groups", cut or b"[", suffix=".json")
    report = load_deliveries(settings, None)
    assert (report.accepted, len(report.refused)) == (0, 1)
