"""Pairs of small images, told apart by two branches of one network."""

import random

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        branch = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d((2, 2)),
            nn.Flatten(),
            nn.Linear(128, 10),
        )
        self.branch = torch.nn.Sequential(*(list(branch.children())[:-1]))
        self.fc = nn.Sequential(nn.Linear(128 * 2, 64), nn.ReLU(inplace=True), nn.Linear(64, 1))
        self.sigmoid = nn.Sigmoid()
        self.branch.apply(self.init_weights)
        self.fc.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward_once(self, x):
        output = self.branch(x)
        return output.view(output.size()[0], -1)

    def forward(self, input1, input2):
        output1 = self.forward_once(input1)
        output2 = self.forward_once(input2)
        output = torch.cat((output1, output2), 1)
        return self.sigmoid(self.fc(output))


class Pairs(Dataset):
    def __init__(self, count):
        images, labels = load_digits(return_X_y=True)
        self.data = torch.from_numpy(images.astype(np.float32).reshape(-1, 8, 8) / 16)
        self.targets = torch.from_numpy(labels)
        self.groups = {i: np.where(labels == i)[0] for i in range(10)}
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        first = random.randint(0, 9)
        second = first if index % 2 == 0 else (first + random.randint(1, 9)) % 10
        i, j = (int(random.choice(self.groups[k])) for k in (first, second))
        target = torch.tensor(1 if index % 2 == 0 else 0, dtype=torch.float)
        return self.data[i].clone().float().unsqueeze(0), self.data[j].clone().float().unsqueeze(0), target


def main(folder, epochs=8):
    random.seed(1)
    torch.manual_seed(1)
    device = torch.device("cpu")
    loader = DataLoader(Pairs(1024), batch_size=64)
    model = SiameseNetwork().to(device)
    optimizer = optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.9)
    criterion = nn.BCELoss()
    losses = []
    for epoch in range(1, epochs + 1):
        model.train()
        total, correct = 0, 0
        for images_1, images_2, targets in loader:
            images_1, images_2, targets = images_1.to(device), images_2.to(device), targets.to(device)
            optimizer.zero_grad()
            outputs = model(images_1, images_2).squeeze()
            loss = criterion(outputs, targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
            pred = torch.where(outputs > 0.5, 1, 0)
            correct += pred.eq(targets.view_as(pred)).sum().item()
        scheduler.step()
        losses.append(total / len(loader))
        print(f"epoch {epoch}: loss {losses[-1]:.4f}, accuracy {correct / len(loader.dataset):.3f}")
    torch.save(model.state_dict(), f"{folder}/siamese_network.pt")
    return losses[0], losses[-1]
