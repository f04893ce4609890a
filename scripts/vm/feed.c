/* Feeds pictures to a v4l2loopback device: feed DEVICE FOURCC WIDTH HEIGHT RATE COUNT FILE...
 *
 * Writes COUNT frames, FILE after FILE and over again, RATE a second. Plain C: the machine has no other language. */
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int count, char **words) {
    if (count < 8) return 2;
    int device = open(words[1], O_RDWR);
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT};
    const char *name = words[2];
    format.fmt.pix.width = atoi(words[3]);
    format.fmt.pix.height = atoi(words[4]);
    format.fmt.pix.pixelformat = v4l2_fourcc(name[0], name[1], name[2], name[3]);
    format.fmt.pix.sizeimage = 2 * atoi(words[3]) * atoi(words[4]);
    format.fmt.pix.field = V4L2_FIELD_NONE;
    /* Whoever looks for the camera at this moment has the device for itself: try again for ten seconds. The driver
       works out what a node can do only when it is asked (QUERYCAP). */
    struct v4l2_capability able;
    int left = 100;
    while (device >= 0 && (ioctl(device, VIDIOC_QUERYCAP, &able) < 0 || ioctl(device, VIDIOC_S_FMT, &format) < 0) && left-- > 0) {
        close(device);
        usleep(100000);
        device = open(words[1], O_RDWR);
    }
    /* Only who has started a stream gives the driver's output free again at the end (v4l2loopback 0.12): after a writer
       that just wrote, the device takes no writer any more as long as anybody has it open. */
    int output = V4L2_BUF_TYPE_VIDEO_OUTPUT;
    if (device < 0 || left < 0 || ioctl(device, VIDIOC_STREAMON, &output) < 0) {
        perror(words[1]);
        return 1;
    }
    static char buffer[8 << 20];
    int files = count - 7, rate = atoi(words[5]), frames = atoi(words[6]);
    for (int frame = 0; frame < frames; frame++) {
        int file = open(words[7 + frame % files], O_RDONLY);
        ssize_t length = read(file, buffer, sizeof buffer);
        close(file);
        if (length <= 0 || write(device, buffer, length) < 0) {
            perror("feed");
            return 1;
        }
        usleep(1000000 / rate);
    }
    return 0;
}
