# pip install openai
import os

from openai import OpenAI

client = OpenAI(base_url=os.environ["RAGMESH_URL"] + "/v1", api_key=os.environ["RAGMESH_API_KEY"])
stream = client.chat.completions.create(
    model="ragmesh",  # answers from the documents; "ragmesh/<model>" writes with that model
    messages=[{"role": "user", "content": "How long does a refund to a credit card take?"}],
    stream=True,
)
for chunk in stream:
    if not chunk.choices:
        continue
    print(chunk.choices[0].delta.content or "", end="", flush=True)
    # Sources with an address are annotations, as those of OpenAI's web search; all sources are in `citations`.
    for source in (chunk.model_extra or {}).get("citations", []):
        print(f"\n[{source['marker']}] {source['title']}")
