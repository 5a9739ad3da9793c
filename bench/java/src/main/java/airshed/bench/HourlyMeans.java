package airshed.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.state.DslStoreSuppliers;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Hourly means with Kafka Streams: one thread, a tumbling window per station with the six pollutants side by side. A
 * key for each series would send every reading through Kafka a second time.
 *
 * <p>Updates go through the cache and the last one of a window counts. Saying only final results would go without the
 * cache, and write every update of the state to Kafka.
 *
 * <p>Arguments: bootstrap, readings, name (application id and prefix of the sink), folder for state, store (memory or
 * rocksdb).
 */
public final class HourlyMeans {
    private static final Duration GRACE = Duration.ofSeconds(600);

    public static void main(String[] arguments) throws Exception {
        Stopwatch watch = new Stopwatch(Long.parseLong(arguments[1]));
        String name = arguments[2];
        StreamsBuilder topology = topology(name, watch, arguments[4]);
        KafkaStreams streams = new KafkaStreams(topology.build(), settings(arguments[0], name, arguments[3]));
        streams.start();
        watch.ended.await();
        String report = watch.report();
        if (!streams.close(Duration.ofSeconds(120))) {
            throw new IllegalStateException("did not close: what the cache holds has not been written");
        }
        System.out.println(report);
    }

    private static Properties settings(String bootstrap, String name, String folder) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, name);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(folder, "streams-" + name).toString());
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        return settings;
    }

    private static StreamsBuilder topology(String name, Stopwatch watch, String store) {
        StreamsBuilder builder = new StreamsBuilder();
        TimestampExtractor start = new StartOfPeriod();
        DslStoreSuppliers kind = store.equals("rocksdb")
                ? BuiltInDslStoreSuppliers.ROCKS_DB
                : BuiltInDslStoreSuppliers.IN_MEMORY;
        builder.stream("readings", Consumed.with(Serdes.String(), readings(watch)).withTimestampExtractor(start))
                .peek((station, reading) -> watch.took())
                .groupByKey(Grouped.with(Serdes.String(), readings(watch)))
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofHours(1), GRACE))
                .aggregate(
                        Sums::new,
                        (station, reading, sums) -> sums.add(reading),
                        Materialized.<String, Sums, WindowStore<Bytes, byte[]>>as(kind)
                                .withKeySerde(Serdes.String())
                                .withValueSerde(sums()))
                .toStream((Windowed<String> window, Sums sums) -> window.key() + "|" + window.window().end() / 1000)
                .mapValues(HourlyMeans::means)
                .to(name + ".means", Produced.with(Serdes.String(), Serdes.String()));
        return builder;
    }

    private static String means(String windowedStation, Sums sums) {
        StringBuilder text = new StringBuilder("{\"hour_s\":")
                .append(windowedStation, windowedStation.indexOf('|') + 1, windowedStation.length())
                .append(",\"means\":{");
        String separator = "";
        for (int place = 0; place < Sums.POLLUTANTS.length; place++) {
            if (sums.count[place] > 0) {
                double mean = sums.total[place] / sums.count[place];
                text.append(separator).append('"').append(Sums.POLLUTANTS[place]).append("\":").append(mean);
                separator = ",";
            }
        }
        return text.append("}}").toString();
    }

    private static Serde<Reading> readings(Stopwatch watch) {
        ObjectReader reader = new ObjectMapper().readerFor(Reading.class);
        Deserializer<Reading> deserializer = (topic, data) -> {
            watch.first();
            try {
                return reader.readValue(data);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        };
        return Serdes.serdeFrom(
                (topic, reading) -> {
                    throw new IllegalStateException("readings are never written: the topic is keyed as it is grouped");
                },
                deserializer);
    }

    private static Serde<Sums> sums() {
        return Serdes.serdeFrom(
                (topic, sums) -> sums == null ? null : sums.toBytes(),
                (topic, data) -> data == null ? null : Sums.fromBytes(data));
    }

    /** Windows hold their start and not their end, so a reading goes by the start of its period. */
    private static final class StartOfPeriod implements TimestampExtractor {
        private String text = "";
        private long end;

        @Override
        public long extract(org.apache.kafka.clients.consumer.ConsumerRecord<Object, Object> record, long latest) {
            Reading reading = (Reading) record.value();
            // Neighbours nearly always end at the same moment; parsing the text costs more than all the rest.
            if (!reading.time().equals(text)) {
                text = reading.time();
                end = OffsetDateTime.parse(text).toEpochSecond();
            }
            return (end - reading.period()) * 1000;
        }
    }
}
