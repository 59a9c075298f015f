"""Embeds files of documents with Ray Data and writes files that `npm run ingest` loads without a call of the model.

    pip install "ray[data]==2.60.0"
    python reembed.py --input shards/ --output loaded/ --endpoint http://127.0.0.1:8000/v1/embeddings --model bge-m3 --workers 8

Input: *.jsonl, a document on each line: {"id", "title", "text", …}, or with "chunks": [{"text", "heading_path"}] in place of "text".
Output: a file for each input file, in which each chunk has a vector (base64 of little-endian float32) and each document names the
model (`embedding_model`). An output file is complete or absent, and a finished one is skipped: run it again after any interruption.
The endpoint speaks OpenAI's wire (TEI, vLLM, Xinference, Ollama, the edge of ragmesh); start one for each GPU and name them all.
"""

import argparse
import array
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request

CHUNK_CHARACTERS = 1200
TEXTS_OF_A_REQUEST = 64
ATTEMPTS = 6


def cut(text: str) -> list[str]:
    """Returns chunks of whole paragraphs; a longer paragraph is cut."""
    chunks: list[str] = []
    for paragraph in filter(None, (part.strip() for part in text.split("\n\n"))):
        for start in range(0, len(paragraph), CHUNK_CHARACTERS):
            piece = paragraph[start : start + CHUNK_CHARACTERS].strip()
            if chunks and len(chunks[-1]) + len(piece) < CHUNK_CHARACTERS:
                chunks[-1] += "\n\n" + piece
            elif piece:
                chunks.append(piece)
    return chunks


def chunks_of(document: dict) -> list[dict]:
    if "chunks" in document:
        return [dict(chunk) for chunk in document["chunks"]]
    return [{"text": text} for text in cut(document.get("text", ""))]


def input_of(document: dict, chunk: dict) -> str:
    """Returns what is embedded: title and headings before the text, as the indexer does."""
    headings = " > ".join(chunk.get("heading_path", []))
    return "\n".join(filter(None, (document.get("title", ""), headings, chunk["text"])))


class Embedder:
    def __init__(self, endpoints: list[str], model: str, space: str, key: str, output: str):
        self.endpoints, self.model, self.space, self.key, self.output = endpoints, model, space, key, output
        # Workers begin at different servers.
        self.count = os.getpid()

    def vectors(self, texts: list[str]) -> list[str]:
        # `float` and not `base64`: some servers know only numbers.
        body = {"model": self.model, "input": texts, "encoding_format": "float"}
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {self.key}"} if self.key else {})}
        for attempt in range(ATTEMPTS):
            self.count += 1
            endpoint = self.endpoints[self.count % len(self.endpoints)]
            request = urllib.request.Request(endpoint, json.dumps(body).encode(), headers)
            try:
                with urllib.request.urlopen(request, timeout=120) as reply:
                    data = json.load(reply)["data"]
                break
            except urllib.error.HTTPError as error:
                if attempt + 1 == ATTEMPTS or (error.code < 500 and error.code != 429):
                    raise
            except (urllib.error.URLError, TimeoutError):
                if attempt + 1 == ATTEMPTS:
                    raise
            time.sleep(2**attempt)
        if len(data) != len(texts):
            raise ValueError(f"received {len(data)} vectors for {len(texts)} texts")
        rows = sorted(data, key=lambda row: row["index"])
        numbers = [array.array("f", row["embedding"]) for row in rows]
        if sys.byteorder == "big":
            for vector in numbers:
                vector.byteswap()
        return [base64.b64encode(vector.tobytes()).decode() for vector in numbers]

    def __call__(self, batch: dict) -> dict:
        counts = [self.shard(str(path)) for path in batch["item"]]
        return {"path": list(batch["item"]), "chunks": counts}

    def shard(self, path: str) -> int:
        """Writes one file; memory holds a few documents of it at a time."""
        target = os.path.join(self.output, os.path.basename(path))
        count, waiting, texts = 0, [], []
        with open(path, encoding="utf-8") as lines, open(f"{target}.part", "w", encoding="utf-8") as out:

            def write() -> None:
                vectors = iter([v for at in range(0, len(texts), TEXTS_OF_A_REQUEST) for v in self.vectors(texts[at : at + TEXTS_OF_A_REQUEST])])
                for document, chunks in waiting:
                    made = [{**chunk, "vector": next(vectors)} for chunk in chunks]
                    rest = {name: value for name, value in document.items() if name != "text"}
                    line = {**rest, "embedding_model": self.space, "chunks": made}
                    out.write(json.dumps(line, ensure_ascii=False) + "\n")
                waiting.clear()
                texts.clear()

            for line in lines:
                if not line.strip():
                    continue
                document = json.loads(line)
                chunks = chunks_of(document)
                if not chunks:
                    continue
                waiting.append((document, chunks))
                texts.extend(input_of(document, chunk) for chunk in chunks)
                count += len(chunks)
                if len(texts) >= TEXTS_OF_A_REQUEST * 4:
                    write()
            if waiting:
                write()
            out.flush()
            os.fsync(out.fileno())
        os.replace(f"{target}.part", target)
        return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", required=True, help="folder of *.jsonl")
    parser.add_argument("--output", required=True, help="folder for the results")
    parser.add_argument("--endpoint", required=True, action="append", help="address of /v1/embeddings; several for several servers")
    parser.add_argument("--model", required=True, help="its name at the endpoint")
    parser.add_argument("--space", help="its name in ragmesh, if that is another one: what ListModels calls `space`")
    parser.add_argument("--workers", type=int, default=2, help="files that are embedded concurrently, for each endpoint")
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)
    files = sorted(name for name in os.listdir(args.input) if name.endswith(".jsonl"))
    open_files = [name for name in files if not os.path.exists(os.path.join(args.output, name))]
    print(f"{len(files)} files, {len(files) - len(open_files)} finished before", flush=True)
    if not open_files:
        return

    import ray

    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    key = os.environ.get("EMBEDDING_API_KEY", "")
    paths = [os.path.abspath(os.path.join(args.input, name)) for name in open_files]
    size = min(args.workers * len(args.endpoint), len(paths))
    space, output = args.space or args.model, os.path.abspath(args.output)
    dataset = ray.data.from_items(paths, override_num_blocks=len(paths)).map_batches(
        Embedder,
        fn_constructor_args=(args.endpoint, args.model, space, key, output),
        batch_size=1,
        num_cpus=0.1,
        compute=ray.data.ActorPoolStrategy(size=size),
    )
    total = 0
    for row in dataset.iter_rows():
        total += row["chunks"]
        print(f"{row['path']}: {row['chunks']} chunks", flush=True)
    print(f"{total} chunks", flush=True)


if __name__ == "__main__":
    main()
