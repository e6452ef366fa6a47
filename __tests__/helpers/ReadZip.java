import java.io.BufferedInputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipInputStream;

/**
 * Reads a zip from front to back, as Java programs do that get one from the network. With a folder it unpacks it there;
 * without, it prints how many files and bytes there are. ZipInputStream itself compares the checksums.
 */
class ReadZip {
  public static void main(String[] arguments) throws Exception {
    long entries = 0;
    long bytes = 0;
    byte[] buffer = new byte[1 << 20];
    try (InputStream file = new BufferedInputStream(new FileInputStream(arguments[0]), 1 << 20);
        ZipInputStream zip = new ZipInputStream(file)) {
      for (var entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        entries++;
        if (arguments.length > 1) {
          Path path = Path.of(arguments[1], entry.getName());
          Files.createDirectories(path.getParent());
          Files.copy(zip, path);
        } else {
          for (int read = zip.read(buffer); read >= 0; read = zip.read(buffer)) {
            bytes += read;
          }
        }
      }
    }
    System.out.println(entries + " " + bytes);
  }
}
