# pip install anthropic
import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["RAGMESH_URL"], auth_token=os.environ["RAGMESH_API_KEY"])
message = client.messages.create(
    model="ragmesh",
    max_tokens=1000,
    messages=[{"role": "user", "content": "How long does a refund to a credit card take?"}],
)
for block in message.content:
    if block.type != "text":
        continue
    print(block.text, end="")
    for citation in block.citations or []:
        print(f" <{citation.title}>", end="")
