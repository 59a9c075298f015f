"""Qdrant's REST face over the vendor's local engine (PyPI qdrant-client), for tests: `local-engine.py PORT FOLDER`.

Only what the adapters use. The client's own models read the requests and refuse a field that they do not know.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from qdrant_client import QdrantClient, models

engine = QdrantClient(path=sys.argv[2], force_disable_check_same_thread=True)
turn = threading.Lock()


class Absent(Exception):
    pass


def collection_of(name):
    if not engine.collection_exists(name):
        raise Absent(f"Not found: Collection `{name}` doesn't exist!")
    return name


def completed():
    return {"operation_id": 0, "status": "completed"}


def create_collection(name, body):
    given = models.CreateCollection.model_validate(body)
    engine.create_collection(
        name, vectors_config=given.vectors or {}, sparse_vectors_config=given.sparse_vectors
    )
    return True


def create_index(name, body):
    given = models.CreateFieldIndex.model_validate(body)
    engine.create_payload_index(collection_of(name), given.field_name, given.field_schema)
    return completed()


def upsert(name, body):
    engine.upsert(collection_of(name), models.PointsList.model_validate(body).points)
    return completed()


def delete(name, body):
    engine.delete(collection_of(name), models.FilterSelector.model_validate(body))
    return completed()


def set_payload(name, body):
    given = models.SetPayload.model_validate(body)
    engine.set_payload(collection_of(name), given.payload, given.filter)
    return completed()


def query(name, body):
    given = models.QueryRequest.model_validate(body)
    return engine.query_points(
        collection_of(name),
        query=given.query,
        using=given.using,
        query_filter=given.filter,
        search_params=given.params,
        limit=given.limit or 10,
        with_payload=given.with_payload,
    )


def count(name, body):
    given = models.CountRequest.model_validate(body)
    return engine.count(collection_of(name), given.filter, given.exact is not False)


def scroll(name, body):
    given = models.ScrollRequest.model_validate(body)
    points, following = engine.scroll(
        collection_of(name),
        given.filter,
        limit=given.limit,
        order_by=given.order_by,
        with_payload=given.with_payload,
        with_vectors=given.with_vector,
    )
    return {"points": points, "next_page_offset": following}


actions = {
    ("PUT", ""): create_collection,
    ("PUT", "index"): create_index,
    ("PUT", "points"): upsert,
    ("POST", "points/delete"): delete,
    ("POST", "points/payload"): set_payload,
    ("POST", "points/query"): query,
    ("POST", "points/count"): count,
    ("POST", "points/scroll"): scroll,
    ("GET", "exists"): lambda name, _: {"exists": engine.collection_exists(name)},
}


def answer(method, path, body):
    if path == "/":
        return {"title": "qdrant - vector search engine", "version": "1.19.0"}
    if path == "/collections":
        result = engine.get_collections()
    else:
        _, _, name, *rest = path.split("/")
        result = actions[(method, "/".join(rest))](name, body)
    return {"result": result, "status": "ok", "time": 0.0}


def to_json(value):
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    raise TypeError(type(value))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        try:
            body = json.loads(raw) if raw else None
            with turn:
                reply = (200, answer(self.command, urlsplit(self.path).path, body))
        except Absent as error:
            reply = (404, {"status": {"error": str(error)}, "time": 0.0})
        except (ValidationError, KeyError, ValueError) as error:
            reply = (409 if "already exists" in str(error) else 400, {"status": {"error": str(error)}, "time": 0.0})
        out = json.dumps(reply[1], default=to_json).encode()
        self.send_response(reply[0])
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    do_GET = do_PUT = do_POST = handle_any

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
