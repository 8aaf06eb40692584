"""The plain training step in TensorFlow, as the public DPED code is written, for `training_step.py --tensorflow`.

Runs in an interpreter that has TensorFlow and nothing of ours: takes a job as JSON, then a step for each line of stdin,
and prints the seconds it took. Channels-last, fp32, one graph for each player. There is no content term: the public
code's VGG-19 is not to be had from a package.
"""

import json
import sys
import time

import numpy as np
import tensorflow as tf

GRAY = np.array([0.2989, 0.5870, 0.1140], np.float32)


def variable(shape):
    return tf.Variable(tf.random.truncated_normal(shape, stddev=0.01))


class Layers:
    """Variables of a network, made in the first call and used again in the order of calls."""

    def __init__(self):
        self.variables, self.next = [], 0

    def take(self, make):
        if self.next == len(self.variables):
            self.variables.append(make())
        self.next += 1
        return self.variables[self.next - 1]

    def conv(self, x, filters, kernel_size, stride=1):
        weight = self.take(lambda: variable([kernel_size, kernel_size, x.shape[-1], filters]))
        bias = self.take(lambda: tf.Variable(tf.fill([filters], 0.01)))
        return tf.nn.conv2d(x, weight, stride, "SAME") + bias

    def up(self, x, filters, kernel_size):
        weight = self.take(lambda: variable([kernel_size, kernel_size, filters, x.shape[-1]]))
        bias = self.take(lambda: tf.Variable(tf.fill([filters], 0.01)))
        shape = [x.shape[0], 2 * x.shape[1], 2 * x.shape[2], filters]
        return tf.nn.conv2d_transpose(x, weight, shape, 2, "SAME") + bias

    def linear(self, x, units):
        weight = self.take(lambda: variable([x.shape[-1], units]))
        return x @ weight + self.take(lambda: tf.Variable(tf.fill([units], 0.01)))

    def norm(self, x):
        scale = self.take(lambda: tf.Variable(tf.ones([x.shape[-1]])))
        shift = self.take(lambda: tf.Variable(tf.zeros([x.shape[-1]])))
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        return scale * (x - mean) / tf.sqrt(variance + 1e-3) + shift

    def block(self, x, kernel_size):
        c = x.shape[-1]
        y = tf.nn.relu(self.norm(self.conv(x, c, kernel_size)))
        return x + tf.nn.relu(self.norm(self.conv(y, c, kernel_size)))

    def tail(self, x, kernel_size):
        c = x.shape[-1]
        x = tf.nn.relu(self.conv(x, c, kernel_size))
        x = tf.nn.relu(self.conv(x, c, kernel_size))
        return tf.tanh(self.conv(x, 3, 9)) * 0.58 + 0.5


class Plain(Layers):
    def __init__(self, kernel_size, channels, blocks):
        super().__init__()
        self.sizes = kernel_size, channels, blocks

    def __call__(self, x):
        self.next = 0
        kernel_size, channels, blocks = self.sizes
        x = tf.nn.relu(self.conv(x, channels, 9))
        for _ in range(blocks):
            x = self.block(x, kernel_size)
        return self.tail(x, kernel_size)


class Strided(Layers):
    def __init__(self, kernel_size, strided_kernel_size, channels):
        super().__init__()
        self.sizes = kernel_size, strided_kernel_size, channels

    def __call__(self, x):
        self.next = 0
        k, s, c = self.sizes
        full = tf.nn.relu(self.conv(x, c, 9))
        half = tf.nn.relu(self.norm(self.conv(full, 2 * c, s, 2)))
        x = tf.nn.relu(self.norm(self.conv(half, 4 * c, s, 2)))
        x = self.block(self.block(x, k), k)
        x = tf.nn.relu(self.norm(self.up(x, 2 * c, s))) + half
        x = tf.nn.relu(self.norm(self.up(x, c, s))) + full
        return self.tail(x, k)


class Discriminator(Layers):
    def __call__(self, x):
        self.next = 0
        x = tf.reduce_sum(x * GRAY, -1, keepdims=True)
        for filters, kernel_size, stride in [(48, 11, 4), (128, 5, 2), (192, 3, 1), (192, 3, 1), (128, 3, 2)]:
            first = x.shape[-1] == 1
            x = tf.nn.leaky_relu(self.conv(x, filters, kernel_size, stride), 0.2)
            x = x if first else self.norm(x)
        x = tf.reshape(x, [x.shape[0], -1])
        return self.linear(tf.nn.leaky_relu(self.linear(x, 1024), 0.2), 2)


def blur(x):
    offsets = np.arange(-10, 11, dtype=np.float32)
    kernel = 0.053 * np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / 18)
    kernel = tf.constant(np.repeat(kernel[:, :, None, None], 3, axis=2))
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")


def cross_entropy(labels, logits):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def main():
    job = json.loads(sys.argv[1])
    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(job["threads"])
    kind, sizes = job["network"]
    generator = (Plain if kind == "plain" else Strided)(*sizes)
    discriminator = Discriminator()
    count, side = job["batch"], job["patch"]
    pixels = np.random.default_rng(0).integers(0, 256, (4, count, side, side, 3), dtype=np.uint8)
    shown = tf.constant(np.random.default_rng(1).random(count) < 0.5)
    discriminator(generator(tf.zeros([count, side, side, 3])))  # makes the variables
    optimizers = [tf.keras.optimizers.Adam(5e-4) for _ in range(2)]
    for optimizer, network in zip(optimizers, (generator, discriminator), strict=True):
        optimizer.build(network.variables)

    @tf.function
    def generator_step(input, target):
        with tf.GradientTape() as tape:
            enhanced = generator(input)
            color = tf.reduce_sum((blur(enhanced) - blur(target)) ** 2) / (2 * count)
            across, down = enhanced[:, :, 1:] - enhanced[:, :, :-1], enhanced[:, 1:] - enhanced[:, :-1]
            variation = tf.reduce_mean(across**2) + tf.reduce_mean(down**2)
            texture = -cross_entropy(tf.zeros([count], tf.int32), discriminator(enhanced))
            loss = 0.1 * color + 400 * variation + 0.4 * texture
        optimizers[0].apply_gradients(zip(tape.gradient(loss, generator.variables), generator.variables, strict=True))
        return loss

    @tf.function
    def discriminator_step(input, target):
        seen = tf.where(shown[:, None, None, None], target, generator(input))
        with tf.GradientTape() as tape:
            loss = cross_entropy(tf.cast(shown, tf.int32), discriminator(seen))
        optimizers[1].apply_gradients(
            zip(tape.gradient(loss, discriminator.variables), discriminator.variables, strict=True)
        )

    for _ in sys.stdin:
        start = time.perf_counter()
        first, second = ([tf.constant(pixels[i + j], tf.float32) / 255 for j in (0, 1)] for i in (0, 2))
        loss = generator_step(*first)
        discriminator_step(*second)
        float(loss)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
