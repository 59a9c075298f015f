# pip install llama-index-llms-openai-like
import os

from llama_index.llms.openai_like import OpenAILike

llm = OpenAILike(
    model="ragmesh",
    api_base=os.environ["RAGMESH_URL"] + "/v1",
    api_key=os.environ["RAGMESH_API_KEY"],
    is_chat_model=True,
    context_window=32_000,
)
for part in llm.stream_complete("How long does a refund to a credit card take?"):
    print(part.delta, end="", flush=True)
