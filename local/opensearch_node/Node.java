import static org.codelibs.opensearch.runner.OpenSearchRunner.newConfigs;

import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node on 127.0.0.1 until it is told to end: Node FOLDER PORT. */
public class Node {
    public static void main(String[] arguments) throws Exception {
        OpenSearchRunner node = new OpenSearchRunner();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        node.onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", arguments[1]);
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        });
        node.build(newConfigs()
            .clusterName("imagemarket-" + arguments[1]) // its own: nodes of one name find each other
            .numOfNode(1)
            .basePath(arguments[0])
            .pluginTypes("org.opensearch.knn.plugin.KNNPlugin")
            .useLogger());
        node.ensureYellow();
        Thread.currentThread().join();
    }
}
