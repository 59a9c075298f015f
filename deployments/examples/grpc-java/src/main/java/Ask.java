// Asks over gRPC with the timeouts and retries of the contract. Run it: see README.md of the examples.
import com.google.gson.Gson;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import ragmesh.chat.v1.Chat.AskRequest;
import ragmesh.chat.v1.ChatServiceGrpc;

public class Ask {
  public static void main(String[] args) throws Exception {
    var config = Files.readString(Path.of(System.getenv("RAGMESH_SERVICE_CONFIG")));
    var channel = Grpc.newChannelBuilder(System.getenv("RAGMESH_GRPC"), InsecureChannelCredentials.create())
        .defaultServiceConfig(new Gson().fromJson(config, Map.class))
        .build();
    var credential = new Metadata();
    var name = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    credential.put(name, "Bearer " + System.getenv("RAGMESH_API_KEY"));
    var chat = ChatServiceGrpc.newBlockingStub(channel)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(credential));
    var question = AskRequest.newBuilder().setQuestion("How long does a refund to a credit card take?").build();
    chat.ask(question).forEachRemaining(response -> System.out.print(response.getTextDelta().getText()));
    channel.shutdown();
  }
}
