# pip install grpcio grpcio-tools, then, here:
# python -m grpc_tools.protoc -I ../../../proto --python_out=. --grpc_python_out=. $(cd ../../../proto && find * -name '*.proto')
import os

import grpc
from ragmesh.chat.v1 import chat_pb2, chat_pb2_grpc

with open(os.environ["RAGMESH_SERVICE_CONFIG"], encoding="utf-8") as file:
    config = file.read()  # timeouts and retries of the contract: proto/service-config.json
channel = grpc.insecure_channel(os.environ["RAGMESH_GRPC"], options=[("grpc.service_config", config)])
chat = chat_pb2_grpc.ChatServiceStub(channel)
request = chat_pb2.AskRequest(question="How long does a refund to a credit card take?")
credential = [("authorization", f"Bearer {os.environ['RAGMESH_API_KEY']}")]
for response in chat.Ask(request, metadata=credential, timeout=30):
    event = response.WhichOneof("event")
    if event == "text_delta":
        print(response.text_delta.text, end="", flush=True)
    if event == "citation":
        print(f"\n[{response.citation.marker}] {response.citation.title}")
