package airshed.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;

/** The same laps as those of bench/stopwatch.py. Used by the one stream thread; the main thread waits for the end. */
final class Stopwatch {
    final CountDownLatch ended = new CountDownLatch(1);

    private final OperatingSystemMXBean system =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private final List<String> laps = new ArrayList<>();
    private final long readings;
    private long taken;

    Stopwatch(long readings) {
        this.readings = readings;
    }

    void first() {
        if (laps.isEmpty()) {
            lap(0);
        }
    }

    void took() {
        taken++;
        if (taken == readings / 2) {
            lap(taken);
        }
        if (taken == readings) {
            lap(taken);
            ended.countDown();
        }
    }

    String report() throws Exception {
        String peak = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .map(line -> line.replaceAll("[^0-9]", ""))
                .findFirst()
                .orElse("0");
        return String.format(
                Locale.ROOT, "{\"laps\":[%s],\"peak_mb\":%.1f}", String.join(",", laps), Long.parseLong(peak) / 1024.0);
    }

    private void lap(long number) {
        double wall = System.nanoTime() / 1e9;
        double cpu = system.getProcessCpuTime() / 1e9;
        laps.add(String.format(Locale.ROOT, "{\"readings\":%d,\"wall_s\":%.6f,\"cpu_s\":%.6f}", number, wall, cpu));
    }
}
