import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;

// Registers instances of a service: each line of the input is a command, and is answered by a line.
public class Register {
    public static void main(String[] args) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(args[0], 4000, 3000, new RetryOneTime(100));
        client.start();
        ServiceDiscovery<Object> discovery = ServiceDiscoveryBuilder.builder(Object.class).client(client).basePath(args[1])
            .serializer(new JsonInstanceSerializer<>(Object.class, false)) // which writes enabled, as the default does not
            .build();
        discovery.start();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; System.out.println("done: " + line)) {
            String[] word = line.split(" "); // command, id, address, port, weight
            ServiceInstance<Object> instance = ServiceInstance.builder()
                .name(args[2]).id(word[1]).address(word[2]).port(Integer.parseInt(word[3]))
                .payload(Map.of("metadata", Map.of("weight", word[4], "version", "2.1")))
                .enabled(!word[0].equals("disable")).build();
            switch (word[0]) {
            case "register": discovery.registerService(instance); break;
            case "unregister": discovery.unregisterService(instance); break;
            default: discovery.updateService(instance);
            }
        }
    }
}
