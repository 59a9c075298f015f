#!/bin/sh
# grpcurl asks the server for its contracts (reflection). RAGMESH_GRPC: host:port of the edge, or of a service within the mesh.
grpcurl -plaintext -H "authorization: Bearer $RAGMESH_API_KEY" \
  -d '{"question": "How long does a refund to a credit card take?"}' \
  "$RAGMESH_GRPC" ragmesh.chat.v1.ChatService/Ask
