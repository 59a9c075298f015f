# pip install langchain-openai
import os

from langchain_openai import ChatOpenAI, OpenAIEmbeddings

url, key = os.environ["RAGMESH_URL"] + "/v1", os.environ["RAGMESH_API_KEY"]
model = ChatOpenAI(model="ragmesh", base_url=url, api_key=key)
for chunk in model.stream("How long does a refund to a credit card take?"):
    print(chunk.text, end="", flush=True)
# Without check_embedding_ctx_length=False it would send numbers of tokens in place of texts.
embeddings = OpenAIEmbeddings(model="ragmesh", base_url=url, api_key=key, check_embedding_ctx_length=False)
print(f"\n{len(embeddings.embed_query('refund'))} dimensions")
