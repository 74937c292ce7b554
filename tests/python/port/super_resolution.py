"""Images of twice the size by a convolutional network that ends in a pixel shuffle."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as init
import torch.optim as optim
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 24, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(24, 24, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(24, 12, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(12, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        self._initialize_weights()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.pixel_shuffle(self.conv4(x))

    def _initialize_weights(self):
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv4.weight)


class Images(Dataset):
    def __init__(self, count):
        images = load_digits(return_X_y=True)[0][:count].astype(np.float32)
        self.large = torch.from_numpy(images.reshape(-1, 1, 8, 8) / 16)
        self.small = F.interpolate(self.large, scale_factor=0.5, mode="bicubic", antialias=True)

    def __getitem__(self, index):
        return self.small[index], self.large[index]

    def __len__(self):
        return len(self.large)


def main(folder, epochs=6):
    torch.manual_seed(123)
    device = torch.device("cpu")
    loader = DataLoader(dataset=Images(600), num_workers=0, batch_size=32, shuffle=True)
    model = Net(upscale_factor=2).to(device)
    criterion = nn.MSELoss()
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for epoch in range(1, epochs + 1):
        epoch_loss = 0
        for batch in loader:
            input, target = batch[0].to(device), batch[1].to(device)
            optimizer.zero_grad()
            loss = criterion(model(input), target)
            epoch_loss += loss.item()
            loss.backward()
            optimizer.step()
        losses.append(epoch_loss / len(loader))
        psnr = 10 * np.log10(1 / losses[-1])
        print(f"===> Epoch {epoch} Complete: Avg. Loss: {losses[-1]:.4f}, {psnr:.2f} dB")
    torch.save(model.state_dict(), f"{folder}/model_epoch_{epochs}.pth")
    return losses[0], losses[-1]
