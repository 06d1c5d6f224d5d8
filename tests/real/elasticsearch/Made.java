package made;

import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.elasticsearch.common.network.NetworkService;
import org.elasticsearch.common.settings.SecureSetting;
import org.elasticsearch.common.settings.Setting;
import org.elasticsearch.common.settings.Setting.Property;
import org.elasticsearch.discovery.SeedHostsProvider;
import org.elasticsearch.plugins.DiscoveryPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.transport.TransportService;

/**
 * Knows the settings of discovery-ec2, and of the modules repository-s3 and reindex, which the distribution for tests does
 * not have, and a provider of seed hosts that is called ec2 and finds none.
 */
public final class Made extends Plugin implements DiscoveryPlugin {
    @Override
    public List<Setting<?>> getSettings() {
        return List.of(
            Setting.prefixKeySetting("discovery.ec2.tag.", key -> Setting.stringListSetting(key, Property.NodeScope)),
            Setting.stringListSetting("discovery.ec2.groups", Property.NodeScope),
            Setting.boolSetting("discovery.ec2.any_group", true, Property.NodeScope),
            Setting.simpleString("discovery.ec2.host_type", Property.NodeScope),
            Setting.simpleString("discovery.ec2.endpoint", Property.NodeScope),
            Setting.affixKeySetting("s3.client.", "endpoint", key -> Setting.simpleString(key, Property.NodeScope)),
            Setting.affixKeySetting("s3.client.", "secret_key", key -> SecureSetting.secureString(key, null)),
            Setting.stringListSetting("reindex.remote.whitelist", Property.NodeScope)
        );
    }

    @Override
    public Map<String, Supplier<SeedHostsProvider>> getSeedHostProviders(TransportService transport, NetworkService network) {
        return Map.of("ec2", () -> resolver -> List.of());
    }
}
