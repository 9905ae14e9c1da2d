"""Results as tar files in the layout of WebDataset."""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
from collections.abc import Sequence

from colorize_core.archiving.planning import names
from colorize_core.archiving.stages.sinks.shards import ShardPage, ShardPhotograph, ShardSink
from colorize_core.archiving.stages.sinks.sink import OutputFormat
from colorize_core.archiving.state.ledger import LedgerRow


class TarSink(ShardSink):
    """Writes an image and a JSON file of facts per page, under one key; photographs that failed are not in the shard.

    The key is the photograph's name, in which dots are ``%2E``, since readers end the key at the first dot.
    """

    suffix = ".tar"

    def place(self, row: LedgerRow, shard: str) -> str:
        """Returns the name of the shard; '' for a photograph without a result."""
        return shard if row.status == "ok" else ""

    def packed(self, photographs: Sequence[ShardPhotograph]) -> bytes:
        """Returns a tar file."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for photograph in photographs:
                for page in photograph.pages:
                    self._add(tar, photograph.row, page)
        return buffer.getvalue()

    def _add(self, tar: tarfile.TarFile, row: LedgerRow, page: ShardPage) -> None:
        stem, suffix = posixpath.splitext(names.of_page(row.output, page.number))
        key = stem.replace("%", "%25").replace(".", "%2E")
        facts = {
            "source": row.source,
            "bundle": row.bundle,
            "settings": row.settings,
            "fingerprint": row.fingerprint,
            "run_id": row.run_id,
            "page": page.number,
            "width": page.width,
            "height": page.height,
            "doubt": row.doubt,
            "model": self._destination.model,
            "digital_source_type": page.digital_source_type,
        }
        described = json.dumps(facts, ensure_ascii=False).encode()
        for name, content in ((key + suffix, page.content), (key + ".json", described)):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), int(row.finished_at.timestamp())
            tar.addfile(info, io.BytesIO(content))


TAR = OutputFormat("tar", TarSink, "png", TarSink.suffix)
