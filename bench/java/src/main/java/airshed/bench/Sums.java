package airshed.bench;

import java.nio.ByteBuffer;

/** Sums and counts of the six pollutants of a station in one hour. */
final class Sums {
    static final String[] POLLUTANTS = {"pm25", "pm10", "o3", "no2", "so2", "co"};

    final double[] total = new double[POLLUTANTS.length];
    final int[] count = new int[POLLUTANTS.length];

    Sums add(Reading reading) {
        for (int place = 0; place < POLLUTANTS.length; place++) {
            if (POLLUTANTS[place].equals(reading.pollutant())) {
                total[place] += reading.value();
                count[place]++;
            }
        }
        return this;
    }

    byte[] toBytes() {
        ByteBuffer bytes = ByteBuffer.allocate(POLLUTANTS.length * 12);
        for (int place = 0; place < POLLUTANTS.length; place++) {
            bytes.putDouble(total[place]).putInt(count[place]);
        }
        return bytes.array();
    }

    static Sums fromBytes(byte[] data) {
        Sums sums = new Sums();
        ByteBuffer bytes = ByteBuffer.wrap(data);
        for (int place = 0; place < POLLUTANTS.length; place++) {
            sums.total[place] = bytes.getDouble();
            sums.count[place] = bytes.getInt();
        }
        return sums;
    }
}
